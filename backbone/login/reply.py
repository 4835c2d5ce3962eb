"""The login reply, member by member, in the odd forms viewers expect (protocol surface, section 1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backbone.directory import Region
from protocol.wellknown import LIBRARY_OWNER, REGION_SIZE, Texture

# Messages that must come over the event queue, since their UDP forms can be forged or lost.
UDP_BLACKLIST = "EnableSimulator,TeleportFinish,CrossedRegion,OpenCircuit"
MAX_GROUPS = 42


def look_at_text(look_at: Sequence[float]) -> str:
    """``[r0.99,r0.12,r0]``: numbers as viewers' old notation parser wants them."""
    return "[" + ",".join(f"r{_short(x)}" for x in look_at) + "]"


def home_text(grid_x: int, grid_y: int, position: Sequence[float], look_at: Sequence[float]) -> str:
    """The home struct as text. The blank after the first comma is needed: one client reads y only behind it."""
    corner = f"[r{grid_x * REGION_SIZE}, r{grid_y * REGION_SIZE}]"
    place = ",".join(f"r{float(x):.6g}" if x % 1 else f"r{float(x):.1f}" for x in position)
    return f"{{'region_handle':{corner}, 'position':[{place}], 'look_at':{look_at_text(look_at)}}}"


def _short(x: float) -> str:
    return f"{float(x):.6g}"


def success(
    *,
    session: dict[str, Any],
    first: str,
    last: str,
    region: Region,
    seed_capability: str,
    look_at: Sequence[float],
    home: tuple[int, int, Sequence[float], Sequence[float]],
    start_location: str,
    skeleton: dict[str, Any],
    library: dict[str, Any],
    gestures: list[dict[str, str]],
    friends: list[dict[str, Any]],
    now: int,
    message: str,
) -> dict[str, Any]:
    """The whole struct. All blocks always go out: no client minds those it did not ask for."""
    return {
        "login": "true",
        "agent_id": session["agent_id"],
        "session_id": session["session_id"],
        "secure_session_id": session["secure_session_id"],
        "circuit_code": session["circuit_code"],
        "sim_ip": region.ip,
        "sim_port": region.port,
        "region_x": region.grid_x * REGION_SIZE,
        "region_y": region.grid_y * REGION_SIZE,
        "region_size_x": REGION_SIZE,
        "region_size_y": REGION_SIZE,
        "seed_capability": seed_capability,
        "first_name": f'"{first}"',
        "last_name": last,  # not every client takes off quotes here
        "look_at": look_at_text(look_at),
        "home": home_text(*home),
        "seconds_since_epoch": now,
        "message": message,
        "start_location": start_location,
        "agent_access": "A",
        "agent_access_max": "A",
        "agent_region_access": region.access,
        "agent_flags": 0,
        "ao_transition": 0,
        "stipend_since_login": "N",
        "max-agent-groups": MAX_GROUPS,
        "udp_blacklist": UDP_BLACKLIST,
        "login-flags": [{"stipend_since_login": "N", "ever_logged_in": "Y", "daylight_savings": "N", "gendered": "Y"}],
        "global-textures": [
            {
                "sun_texture_id": str(Texture.SUN),
                "cloud_texture_id": str(Texture.CLOUD),
                "moon_texture_id": str(Texture.MOON),
            }
        ],
        "ui-config": [{"allow_first_life": "Y"}],
        "initial-outfit": [{"folder_name": "Nightclub Female", "gender": "female"}],
        "gestures": gestures,
        "event_categories": [],
        "event_notifications": [],
        "classified_categories": [],
        "tutorial_setting": [],
        "adult_compliant": [],
        "newuser-config": [],
        "voice-config": [],
        "display_names": [],
        "buddy-list": [
            {
                "buddy_id": friend["agent_id"],
                "buddy_rights_given": friend["rights_given"],
                "buddy_rights_has": friend["rights_has"],
            }
            for friend in friends
        ],
        "inventory-root": [{"folder_id": skeleton["root"]}],
        "inventory-skeleton": _folders(skeleton),
        "inventory-lib-root": [{"folder_id": library["root"]}],
        "inventory-lib-owner": [{"agent_id": str(LIBRARY_OWNER)}],
        "inventory-skel-lib": _folders(library),
    }


def _folders(skeleton: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "folder_id": folder["folder_id"],
            "parent_id": folder["parent_id"],
            "name": folder["name"],
            "type_default": folder["type"],
            "version": folder["version"],
        }
        for folder in skeleton["folders"]
    ]


def failure(reason: str, message: str, extended: bool) -> dict[str, Any]:
    """A refusal; ``message_id`` and ``message_args`` for viewers that translate texts themselves."""
    told: dict[str, Any] = {"login": "false", "reason": reason, "message": message}
    if extended:
        told["message_id"] = f"LoginFailed{reason.capitalize()}"
        told["message_args"] = {}
    return told
