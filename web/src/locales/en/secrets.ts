const secrets = {
  secrets: {
    title: "Secrets",
    explain:
      "A job gets the secrets that its plan names under secrets:, as environment variables. Their values are masked in its log. Nobody can read a value here; it can be replaced.",
    add: "Set a secret",
    replace: "Replace the value of {name}",
    replaceShort: "Replace",
    name: "Name",
    nameHint: "Letters, digits and _, not beginning with a digit; the name of the environment variable.",
    nameWrong: "A name consists of letters, digits and _, and does not begin with a digit.",
    value: "Value",
    valueHint: "Of several lines, each is masked on its own.",
    whose: "For",
    all: "All projects",
    empty: "No secrets yet",
    emptyHint: "A token, a password or a key that jobs need and nobody shall see.",
    emptyHere: "No secret is for this project alone",
    updated: "Set",
    by: "by {author}",
    warnings: "{name} was saved, but:",
    saved: "{name} was saved.",
    removeHint: "Jobs that name it will fail when they are set up. This cannot be taken back: the value is gone.",
    removed: "{name} was removed.",
  },
};

export default secrets;
