"""The commands that belong together: `tailrace GROUP COMMAND`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from cyclopts import App

from tailrace.cli import (
    agents,
    approvals,
    artifacts,
    deliveries,
    environments,
    hooks,
    labels,
    notify,
    plan_versions,
    plans,
    projects,
    queue,
    secrets,
    tokens,
    triggers,
)
from tailrace.cli.client import CallFailed


class Group(NamedTuple):
    """Commands by their names; `bare` is what the group does when none is named, else it shows its help."""

    name: str
    help: str
    commands: Mapping[str, Callable[..., int]]
    bare: Callable[..., int] | None = None

    def app(self) -> App:
        app = App(name=self.name, help=self.help)
        if self.bare is not None:
            app.default(self.bare)
        for name, command in self.commands.items():
            app.command(command, name=name)
        return app


GROUPS = (
    Group(
        "agents",
        "The agents: listed, and told what they are for.",
        {
            "list": agents.list_agents,
            "show": agents.show_agent,
            "pause": agents.pause_agent,
            "drain": agents.drain_agent,
            "resume": agents.resume_agent,
            "rename": agents.rename_agent,
            "relabel": agents.relabel_agent,
            "allow": agents.allow_agent,
            "remove": agents.remove_agent,
            "changes": agents.list_changes,
        },
        bare=agents.list_agents,
    ),
    Group(
        "approvals",
        "What waits for a person.",
        {
            "list": approvals.list_approvals,
            "approve": approvals.approve,
            "reject": approvals.reject,
        },
        bare=approvals.list_approvals,
    ),
    Group(
        "environment",
        "Where jobs deploy to, and who says whether they may.",
        {
            "set": environments.set_environment,
            "list": environments.list_environments,
            "remove": environments.remove_environment,
        },
    ),
    Group(
        "artifacts",
        "The files that jobs keep.",
        {
            "list": artifacts.list_artifacts,
            "get": artifacts.get_artifacts,
        },
    ),
    Group(
        "labels",
        "Labels that only some projects may use.",
        {
            "list": labels.list_labels,
            "protect": labels.protect_label,
            "unprotect": labels.unprotect_label,
        },
        bare=labels.list_labels,
    ),
    Group(
        "queue",
        "The queue of attempts: what is paused.",
        {
            "list": queue.list_pauses,
            "pause": queue.pause_queue,
            "resume": queue.resume_queue,
        },
        bare=queue.list_pauses,
    ),
    Group(
        "project",
        "Repositories and what belongs to them.",
        {
            "add": projects.add_project,
            "list": projects.list_projects,
            "edit": projects.edit_project,
            "remove": projects.remove_project,
            "hook": hooks.project_hook,
            "restore": projects.restore_project,
        },
    ),
    Group(
        "plan",
        "What to run.",
        {
            "add": plans.add_plan,
            "list": plans.list_plans,
            "show": plan_versions.show_plan,
            "edit": plan_versions.edit_plan,
            "versions": plan_versions.list_versions,
            "diff": plan_versions.diff_plan,
            "remove": plan_versions.remove_plan,
            "restore": plan_versions.restore_plan,
            "check": plans.check_plan,
            "schema": plans.show_schema,
        },
    ),
    Group(
        "trigger",
        "What starts runs of plans.",
        {
            "add": triggers.add_trigger,
            "list": triggers.list_triggers,
            "show": triggers.show_trigger,
            "change": triggers.change_trigger,
            "enable": triggers.enable_trigger,
            "disable": triggers.disable_trigger,
            "check": triggers.check_trigger,
            "remove": triggers.remove_trigger,
        },
    ),
    Group(
        "delivery",
        "Webhooks as they came.",
        {
            "list": deliveries.list_deliveries,
            "show": deliveries.show_delivery,
            "replay": deliveries.replay_deliveries,
        },
    ),
    Group(
        "secret",
        "What jobs get and logs hide.",
        {
            "set": secrets.set_secret,
            "list": secrets.list_secrets,
            "remove": secrets.remove_secret,
        },
    ),
    Group(
        "token",
        "Who may call the server: tokens of people and programs.",
        {
            "create": tokens.create_token,
            "list": tokens.list_tokens,
            "remove": tokens.remove_token,
        },
    ),
    Group(
        "notify",
        "Channels, rules, and what was sent.",
        {
            "list": notify.list_notifications,
            "retry": notify.retry_notification,
            "channels": notify.list_channels,
            "add-channel": notify.add_channel,
            "test": notify.try_channel,
            "enable": notify.enable_channel,
            "disable": notify.disable_channel,
            "remove-channel": notify.remove_channel,
            "rules": notify.list_rules,
            "add-rule": notify.add_rule,
            "remove-rule": notify.remove_rule,
            "badge": notify.show_badge,
        },
        bare=notify.list_notifications,
    ),
)


def check_word(arguments: Sequence[str]) -> None:
    """Raise CallFailed for a group's command that there is not, where the group does something by itself.

    The parser takes such a word for an argument of that, and says that it has none.
    """
    bare = {group.name: group for group in GROUPS if group.bare is not None}
    if len(arguments) < 2 or (group := bare.get(arguments[0])) is None:
        return
    word = arguments[1]
    if word.startswith("-") or word in group.commands:
        return
    near = get_close_matches(word, group.commands, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise CallFailed(
        f"there is no command '{group.name} {word}'{meant}; allowed: {', '.join(group.commands)}"
    )
