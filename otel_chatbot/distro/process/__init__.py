"""The life of a process: servers, forks, threads, shutdown, the port for the endpoints."""
