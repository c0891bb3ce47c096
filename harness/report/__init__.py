"""
The report: what was judged, drawn for a terminal, for Markdown and as one HTML page.

    contents.py     the record that all of them draw from
    format.py       a number as people read it: unit, digits, interval; text from outside, made
                    harmless
    tables.py       the rows of the main table, of stages, and the line on the recogniser's floor,
                    as text
    pr_comment.py   the comment on a pull request, from a judgement's JSON
    junit.py        JUnit's XML, and the files that a command was asked for
    charts.py       pictures of the page
    terminal.py, markdown.py, page.py (with templates/)
    site/           the trend site
    listening/      pages to listen to

Nothing here opens a run folder, computes a number or decides anything.
"""
