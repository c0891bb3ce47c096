"""From iterations and scores to measurements: aggregation, speed, stages. Decides nothing."""
