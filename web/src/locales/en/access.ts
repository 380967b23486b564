const access = {
  access: {
    title: "Tokens",
    explain:
      "A token says who calls: a person or a program. What is done with it is recorded under its name, and so is what is done in sessions that begin with it.",
    add: "Make a token",
    name: "Name",
    nameHint: "Whose it is, such as ada or release-bot; letters, digits, _ . {'@'} and -.",
    role: "Role",
    roles: { admin: "admin", member: "member", reader: "reader" },
    may: {
      admin: "Everything, also tokens, agents, secrets, environments and the removal of projects.",
      member: "Look, start, abort, approve, pause; change plans and triggers. No secrets, no agents.",
      reader: "Look and watch, and change nothing.",
    },
    life: "Good for",
    lives: { days: "{count} days", ever: "ever, until it is removed" },
    made: "This is the value of {name}. It is not kept, and cannot be shown again:",
    value: "Token",
    done: "Done",
    own: "the server's own",
    by: "made by {author}",
    used: "last used",
    unused: "never used",
    expires: "expires",
    expired: "has expired",
    ever: "does not expire",
    removed: "{name} was removed.",
    removeHint:
      "Whoever has it is out at once: sessions that began with it end, and so does what is watched with it. What was done with it stays recorded.",
    needs: "This needs the role {role}.",
    signedIn: "Signed in as {name}: {may}",
  },
};

export default access;
