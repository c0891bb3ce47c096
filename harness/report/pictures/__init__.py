"""
Pictures of a page as geometry: frozen records of places and texts, which macros of
`templates/pictures` lay out as SVG in the colours of the page. A picture is None where there is
nothing to draw.
"""
