"""The one error that users read."""


class UserError(Exception):
    """The input or the environment is at fault, not the program.

    Its text is one clear sentence that says what to do next; the command line prints it and exits with 1,
    the bot shows it on the card. Anything else that is raised is a bug and shows up as one.
    """
