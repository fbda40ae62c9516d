"""The command line: read, call, print. Imports nothing of skep but itself; the server's code only inside `serve`."""
