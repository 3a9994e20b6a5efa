"""The viewer: a web page that shows the chats, traces, logs and figures of apps, and an OTLP endpoint for apps to send to.

Fed by OTLP over HTTP and by the files of apps on this machine, which are only read; feeds a browser. Only `cli` imports it.
"""
