"""The process that executes jobs on a machine: it connects out to the server, starts runners and uploads what they leave."""
