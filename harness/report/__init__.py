"""
The report: what was judged, drawn for a terminal, for Markdown and as one HTML page.

    contents.py   the record that all of them draw from
    format.py    a number as people read it: unit, digits, interval
    tables.py      the rows of the main table, as text
    texts.py      text from outside, made harmless
    pr_comment.py    the comment on a pull request, from a judgement's JSON; junit.py, files.py
    terminal.py, markdown.py, page.py (with charts.py and templates/)

Nothing here opens a run folder, computes a number or decides anything.
"""
