"""
The trend site: a folder of static pages that says what became worse, where and since when. Works
from a disk and from any web server; nothing leaves the page.

    history_view.py   all that the site shows, read once from the history: places, their runs, their
                      lines through time
    state.py          the state of a cell; the first words of the site
    marks.py          a state or verdict as word, colour and sign; a line through time as big as a
                      word
    run_view.py       one run as measurements again; a run in a list; an environment as a flat list
                      of facts
    urls.py           the names of the files; how data for the pages' scripts is written
    charts.py         speed against quality, as on the page of a single run
    overview_page.py, suite_page.py, cell_page.py, run_page.py     one kind of page each
    run_data.py       what the script of a run's page reads
    folder.py         assets, content security policy, writing
    build.py          all of it in its order

Nothing here opens a run folder, computes a number or decides anything.
"""
