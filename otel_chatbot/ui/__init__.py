"""The viewer: a web page that shows the chats, traces, logs and figures of apps, and an OTLP endpoint that apps send to.

Fed by OTLP over HTTP and by what apps leave on this machine, which is only read; feeds a browser. Only `cli` imports it.
"""
