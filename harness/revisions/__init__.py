"""Two revisions of one project: checkout, paired runs, A/B and bisect."""
