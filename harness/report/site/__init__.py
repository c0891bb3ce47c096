"""
The trend site: a folder of static pages that says what became worse, where and since when. Works from a disk and from any
web server; nothing leaves the page.

    history_view.py          all that the site shows, read once from the history: places, their runs, their lines through time
    state.py         the state of a cell;  run_view.py  one run as measurements again;  run_link.py  a run in a list
    marks.py          a state or verdict as word, colour and sign;  urls.py  the names of the files
    sparkline.py     a line through time as big as a word
    headline.py      is anything worse, where, since when
    overview_page.py, suite_page.py, cell_page.py, run_page.py, scripted.py     one kind of page each
    cell_data.py, run_data.py     what the pages' scripts read;  data_file.py  how it is written
    charts.py      speed against quality, as on the page of a single run;  beside.py  two things at once
    folder.py        assets, content security policy, writing;  build.py  all of it in its order

Nothing here opens a run folder, computes a number or decides anything.
"""
