"""Sky and water: one day for the whole grid, in the two forms viewers know.

ExtEnvironment is the present form: frames (settings of sky or water) and tracks (which frame at what part of the day).
EnvironmentSettings is the old one, named presets. Both are made here of the same few moments of a day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from protocol import llsd
from protocol.wellknown import NULL, Texture
from sim.caps import CapRequest, capability

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

DAY_LENGTH = 14400  # seconds of a day in the world
DAY_OFFSET = 57600  # seconds it is behind UTC
TRACK_ALTITUDES = [1000.0, 2000.0, 3000.0]  # metres where the upper skies, which are the same, begin
WATER_NORMALS = UUID("822ded49-9a6c-f61c-cb89-6df54f42cdf4")  # the waves that are built into every viewer

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """The sky at one part of the day (0 midnight, 0.5 noon)."""

    name: str
    part: float
    ambient: Colour
    sunlight: Colour
    blue_horizon: Colour
    blue_density: Colour
    cloud: Colour
    haze_density: float
    stars: float

    @property
    def sun_angle(self) -> float:
        """Radians above the eastern horizon: 0 at sunrise, a right angle at noon."""
        return (self.part - 0.25) * 2 * math.pi


DAY = (
    Moment("Midnight", 0.0, (0.2, 0.22, 0.32), (0.34, 0.35, 0.49), (0.1, 0.12, 0.2), (0.2, 0.24, 0.4), (0.1, 0.1, 0.15), 0.7, 500.0),
    Moment("Sunrise", 0.25, (0.6, 0.45, 0.4), (2.1, 1.3, 0.8), (0.4, 0.3, 0.3), (0.28, 0.36, 0.56), (0.4, 0.32, 0.3), 0.7, 20.0),
    Moment("Noon", 0.5, (0.75, 0.75, 0.75), (2.2, 2.15, 2.0), (0.49, 0.49, 0.64), (0.24, 0.45, 0.76), (0.41, 0.41, 0.41), 0.6, 0.0),
    Moment("Sunset", 0.75, (0.6, 0.42, 0.36), (2.2, 1.2, 0.7), (0.45, 0.3, 0.28), (0.28, 0.34, 0.54), (0.42, 0.3, 0.28), 0.7, 20.0),
)  # fmt: skip


# --- the present form


@capability("ExtEnvironment", "GET", "POST", "PUT", "DELETE", per_second=5, burst=30)
async def ext_environment(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """The environment of the region, or of a parcel (`?parcelid=n`), which has none of its own."""
    if request.method != "GET":
        return {"success": False, "message": "The sky is the same everywhere in this grid and is not for changing."}
    text = request.query.get("parcelid", "-1")
    parcel = int(text) if text.lstrip("-").isdecimal() and len(text) <= 9 else -1
    answer = {
        "success": True,
        "parcel_id": parcel,
        "environment": {
            "day_cycle": day_cycle(),
            "day_length": DAY_LENGTH,
            "day_offset": DAY_OFFSET,
            "day_hash": 1,
            "env_version": 1,
            "is_default": True,
            "parcel_id": parcel,
            "region_id": sim.world.facts.region_id,
            "track_altitudes": TRACK_ALTITUDES,
        },
    }
    # Without the XML declaration: node-metaverse reads this one reply with a parser that takes it for a second root.
    bare = llsd.format_xml(answer).partition(b"?>")[2]
    return web.Response(body=bare, content_type="application/llsd+xml")


@cache
def day_cycle() -> dict[str, Any]:
    """A day of four skies over one water."""
    frames: dict[str, Any] = {moment.name: sky_frame(moment) for moment in DAY}
    frames["Water"] = water_frame()
    skies = [{"key_keyframe": moment.part, "key_name": moment.name} for moment in DAY]
    water = [{"key_keyframe": 0.0, "key_name": "Water"}]
    return {"name": "Mainland day", "type": "daycycle", "frames": frames, "tracks": [water, skies, [], [], []]}


def sky_frame(moment: Moment) -> dict[str, Any]:
    """Settings of type "sky". Sun and moon stand opposite each other."""
    return {
        "name": moment.name,
        "type": "sky",
        "absorption_config": [_layer(25000.0, 0.0, 0.0, 1 / 15000, -2 / 3), _layer(0.0, 0.0, 0.0, -1 / 15000, 8 / 3)],
        "mie_config": [{**_layer(0.0, 1.0, -1 / 1200, 0.0, 0.0), "anisotropy": 0.8}],
        "rayleigh_config": [_layer(0.0, 1.0, -1 / 8000, 0.0, 0.0)],
        "legacy_haze": {
            "ambient": list(moment.ambient),
            "blue_density": list(moment.blue_density),
            "blue_horizon": list(moment.blue_horizon),
            "density_multiplier": 0.00018,
            "distance_multiplier": 0.8,
            "haze_density": moment.haze_density,
            "haze_horizon": 0.19,
        },
        "bloom_id": NULL,
        "cloud_color": list(moment.cloud),
        "cloud_id": Texture.CLOUD,
        "cloud_pos_density1": [1.0, 0.53, 1.0],
        "cloud_pos_density2": [1.0, 0.53, 0.125],
        "cloud_scale": 0.42,
        "cloud_scroll_rate": [0.2, 0.01],
        "cloud_shadow": 0.27,
        "cloud_variance": 0.0,
        "dome_offset": 0.96,
        "dome_radius": 15000.0,
        "droplet_radius": 800.0,
        "gamma": 1.0,
        "glow": [5.0, 0.001, -0.48],
        "halo_id": NULL,
        "ice_level": 0.0,
        "max_y": 1605.0,
        "moisture_level": 0.0,
        "moon_brightness": 0.5,
        "moon_id": Texture.MOON,
        "moon_rotation": _pitch(moment.sun_angle + math.pi),
        "moon_scale": 1.0,
        "planet_radius": 6360.0,
        "rainbow_id": NULL,
        "reflection_probe_ambiance": 0.0,
        "sky_bottom_radius": 6360.0,
        "sky_top_radius": 6420.0,
        "star_brightness": moment.stars,
        "sun_arc_radians": 0.00045,
        "sun_id": Texture.SUN,
        "sun_rotation": _pitch(moment.sun_angle),
        "sun_scale": 1.0,
        "sunlight_color": list(moment.sunlight),
    }


def _layer(width: float, factor: float, scale: float, linear: float, constant: float) -> dict[str, float]:
    """One layer of air in the viewer's model of scattering."""
    return {
        "width": width,
        "exp_term": factor,
        "exp_scale": scale,
        "linear_term": linear,
        "constant_term": constant,
    }


def _pitch(angle: float) -> list[float]:
    """The rotation (x y z w) that lifts the eastern horizon by an angle: the sun is drawn along its x axis."""
    return [0.0, -math.sin(angle / 2), 0.0, math.cos(angle / 2)]


def water_frame() -> dict[str, Any]:
    return {
        "name": "Water",
        "type": "water",
        "blur_multiplier": 0.04,
        "fresnel_offset": 0.5,
        "fresnel_scale": 0.4,
        "normal_map": WATER_NORMALS,
        "normal_scale": [2.0, 2.0, 2.0],
        "scale_above": 0.03,
        "scale_below": 0.2,
        "transparent_texture": NULL,
        "underwater_fog_mod": 0.25,
        "water_fog_color": [0.0156, 0.149, 0.2509],
        "water_fog_density": 10.0,
        "wave1_direction": [1.05, -0.42],
        "wave2_direction": [1.11, -1.16],
    }


# --- the old form


@capability("EnvironmentSettings", "GET", "POST", per_second=5, burst=30)
async def environment_settings(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """[ids, day as (part, preset), presets by name, water]"""
    region_id = sim.world.facts.region_id
    if request.method == "POST":
        reason = "The sky is the same everywhere in this grid and is not for changing."
        return {"messageID": NULL, "regionID": region_id, "success": False, "fail_reason": reason}
    days = [[moment.part, moment.name] for moment in DAY]
    skies = {moment.name: legacy_sky(moment) for moment in DAY}
    return [{"messageID": NULL, "regionID": region_id}, days, skies, legacy_water()]


def legacy_sky(moment: Moment) -> dict[str, Any]:
    def four(colour: Colour) -> list[float]:
        return [*colour, max(colour)]

    def one(value: float) -> list[float]:
        return [value, 0.0, 0.0, 1.0]

    angle = moment.sun_angle
    return {
        "ambient": four(moment.ambient),
        "blue_density": four(moment.blue_density),
        "blue_horizon": four(moment.blue_horizon),
        "cloud_color": four(moment.cloud),
        "cloud_pos_density1": [1.0, 0.53, 1.0, 1.0],
        "cloud_pos_density2": [1.0, 0.53, 0.125, 1.0],
        "cloud_scale": one(0.42),
        "cloud_scroll_rate": [10.2, 10.01],
        "cloud_shadow": one(0.27),
        "density_multiplier": one(0.00018),
        "distance_multiplier": one(0.8),
        "east_angle": 0.0,
        "enable_cloud_scroll": [True, True],
        "gamma": one(1.0),
        "glow": [5.0, 0.001, -0.48, 1.0],
        "haze_density": one(moment.haze_density),
        "haze_horizon": one(0.19),
        "lightnorm": [0.0, math.sin(angle), math.cos(angle), 0.0],
        "max_y": one(1605.0),
        "star_brightness": moment.stars / 250,
        "sun_angle": angle % (2 * math.pi),
        "sunlight_color": four(moment.sunlight),
    }


def legacy_water() -> dict[str, Any]:
    water = water_frame()
    return {
        "blurMultiplier": water["blur_multiplier"],
        "fresnelOffset": water["fresnel_offset"],
        "fresnelScale": water["fresnel_scale"],
        "normScale": water["normal_scale"],
        "normalMap": water["normal_map"],
        "scaleAbove": water["scale_above"],
        "scaleBelow": water["scale_below"],
        "underWaterFogMod": water["underwater_fog_mod"],
        "waterFogColor": [*water["water_fog_color"], 1.0],
        "waterFogDensity": water["water_fog_density"],
        "wave1Dir": water["wave1_direction"],
        "wave2Dir": water["wave2_direction"],
    }
