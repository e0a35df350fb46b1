"""The commands: one file, one command, with its first line as help and `main(argv) -> exit code`."""
