"""
The trend site: a folder of static pages that shows regressions with place and date.

It works from a disk and from any web server; nothing leaves the page.

    history_view.py   all data of the site, read once from the history: places, runs, series
    recent.py         the last nights of a series against its level and limit
    state.py          the badge of a trend, the state of a cell, places without data
    causes.py         trends that moved together, as the one thing that changed
    commits.py        what lies between two nights, from the repository at hand
    headline.py       the first words: what got worse, how much, where, since when, what to do
    nights.py         the picture of all nights: a row a metric, a column a night
    run_view.py       one run: its measurements again, the record of its page, its row in a list
    urls.py           file names; data files for the pages' scripts
    overview_page.py, suite_page.py, cell_page.py     one kind of page each
    run_data.py       the data of the script that lays out any run
    folder.py         assets, writing
    build.py          all of it in its order

Nothing here opens a run folder or decides anything.
"""
