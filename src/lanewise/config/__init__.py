"""lanewise.toml, the environment and flags become one frozen `Settings`; every mistake is reported with its line."""

from lanewise.config.durations import duration_s
from lanewise.config.load import Loaded, Origin, load, schema
from lanewise.config.settings import (
    CaptureSettings,
    ClassifySettings,
    FixedPrice,
    HostedSettings,
    KeySettings,
    ModelSettings,
    ProviderSettings,
    RoutingSettings,
    RuleSettings,
    ServerSettings,
    Settings,
    SkillSettings,
    UpstreamSettings,
)

__all__ = [
    "CaptureSettings",
    "ClassifySettings",
    "FixedPrice",
    "HostedSettings",
    "KeySettings",
    "Loaded",
    "ModelSettings",
    "Origin",
    "ProviderSettings",
    "RoutingSettings",
    "RuleSettings",
    "ServerSettings",
    "Settings",
    "SkillSettings",
    "UpstreamSettings",
    "duration_s",
    "load",
    "schema",
]
