"""
Reports of a judged run: on a terminal, as Markdown, as JUnit XML, as one HTML page and as a site.

    contents.py     the record that all renderers draw from; the only file that computes
    format.py       numbers with units and digits, plain columns, text from outside made harmless
    tables.py       rows of the main table and of stages, lines on energy, floor and gain
    pr_comment.py   the comment on a pull request, from a judgement's JSON
    junit.py        JUnit XML, and the files that a command was asked for
    charts.py       charts of the page
    terminal.py, markdown.py, page.py (with templates/)
    site/           the trend site
    listening/      pages to listen to

Nothing here opens a run folder or decides anything.
"""
