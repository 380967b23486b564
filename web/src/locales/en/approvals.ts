const approvals = {
  approvals: {
    title: "Approvals",
    nothing: "Nothing waits for approval",
    nothingHint: "Jobs of guarded environments and runs from forks wait here until somebody decides.",
    noMatch: "No approval matches",
    more: "Show older approvals",
    asked: "asked",
    fork: "from a fork",
    approvers: "May decide: {names}",
    waiting: "waits | wait",
    decided: "{run}: {state}",
  },
};

export default approvals;
