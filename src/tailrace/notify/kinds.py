"""The kinds of channels that are one request a message."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.domain.channels import ChannelKind
from tailrace.notify.base import Kind
from tailrace.notify.dingtalk import DINGTALK
from tailrace.notify.discord import DISCORD
from tailrace.notify.feishu import FEISHU
from tailrace.notify.slack import SLACK
from tailrace.notify.teams import TEAMS
from tailrace.notify.telegram import TELEGRAM
from tailrace.notify.webhook import WEBHOOK
from tailrace.notify.wecom import WECOM

KINDS: Mapping[ChannelKind, Kind] = {
    ChannelKind.SLACK: SLACK,
    ChannelKind.TEAMS: TEAMS,
    ChannelKind.TELEGRAM: TELEGRAM,
    ChannelKind.DISCORD: DISCORD,
    ChannelKind.DINGTALK: DINGTALK,
    ChannelKind.WECOM: WECOM,
    ChannelKind.FEISHU: FEISHU,
    ChannelKind.WEBHOOK: WEBHOOK,
}
