"""What stands between the network and the pages.

``worker`` and ``arrival``: a request reaches a thread when it has arrived whole. ``proxies``: which of them may say who
a visitor is. ``forms``: whether a page of ours sent a form.
"""
