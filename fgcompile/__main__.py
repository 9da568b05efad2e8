"""``python -m fgcompile``: the same as the installed command."""

from fgcompile.cli import main

if __name__ == "__main__":
    main()
