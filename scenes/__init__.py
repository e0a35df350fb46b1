"""Six small finished scenes, and what makes them: `python -m scenes` writes all, `python -m scenes owl` one.

A scene is one module with

    FILE              the name of what it makes
    make(folder)      writes it there; the same values every time
    truth(cameras)    what it should look like, worked out from the world or from formulas
"""
