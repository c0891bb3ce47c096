"""
The trend site: a folder of static pages that shows regressions with place and date.

It works from a disk and from any web server; nothing leaves the page.

    history_view.py   all data of the site, read once from the history: places, runs, series
    state.py          the state of a cell; the headline of the site
    marks.py          a state or verdict as word, colour and sign; sparklines
    run_view.py       one run as measurements again; a run in a list; an environment as flat facts
    urls.py           file names; data files for the pages' scripts
    charts.py         speed against quality, as on the page of a single run
    overview_page.py, suite_page.py, cell_page.py, run_page.py     one kind of page each
    run_data.py       the data of the run page's script
    folder.py         assets, content security policy, writing
    build.py          all of it in its order

Nothing here opens a run folder or decides anything.
"""
