"""A static page that explains photos, or texts, in the browser: ``fgcompile page``.

``site`` holds the page's own files; ``packages.json`` names the packages of npm that it runs on, with their hashes.
"""
