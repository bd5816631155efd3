"""The commands of money: groups of the command line. What a command does is imported when it runs."""
