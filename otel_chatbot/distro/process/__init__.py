"""What begins and ends with a process: servers, forks, threads, shutdown, the port for the endpoints."""
