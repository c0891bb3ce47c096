"""RVC voice conversion in its published layout: HuBERT / ContentVec, synthesiser and index."""
