"""The commands, one file each. Each imports what it needs when it is called: `tailrace --help` starts at once."""
