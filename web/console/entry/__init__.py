"""The way into the console.

``entrance`` is its pages, ``launch_data`` proves a Mini App's, ``devices`` names browsers.
"""
