"""
Reports of a judged run: on a terminal, as Markdown, as JUnit XML, as one HTML page and as a site.

    contents.py     the record that all renderers draw from; the only file that computes
    format.py       numbers with units and digits, plain columns, text from outside made harmless
    tables.py       rows of the main table and of stages, lines on energy, floor and gain
    terminal.py, markdown.py
    changes.py      metrics as rows of text: base, head, change, limit
    pr_comment.py   the comment on a pull request, from a judgement's JSON; comment_parts.py has its
                    parts, comment_pictures.py the pictures that it links to
    junit.py        JUnit XML, and the files that a command was asked for
    badges.py       a verdict as word, colour and sign, and its meaning
    pictures/       geometry of the pictures, their axes, and sparklines
    html.py         templates, and how a page carries style and script: by links, or within it
    findings.py     the first words of every report: causes, changes, the next step
    tiles.py        the figures of a run at a glance
    run_record.py   the record of one run, wherever it comes from
    run_page.py     the page of one run: the view of its record, the list of its sections
    page.py         the record of a judged run, and its page that stands alone
    site/           the trend site; `site/run_view.py` fills the record of a run from the history
    listening/      the player, the listening page and the blind test
    templates/      every page, one stylesheet, and the scripts

Nothing here opens a run folder or decides anything.
"""
