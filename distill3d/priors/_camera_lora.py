"""A U-Net that learns what a scene looks like, and from where, beside the frozen one that it is made from.

Wang et al. 2023, "ProlificDreamer" (arXiv 2305.16213), section 3.2: low-rank changes of the attention's
matrices (Hu et al. 2021, LoRA, arXiv 2106.09685), and the camera's pose embedded like the noise level and
added to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.prior import Condition

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
POSE = 12  # numbers of a camera: the rows of its rotation, each with its translation


class CameraLoRA(nn.Module):
    """Shares every frozen weight of `unet`; only what it adds can learn, in float32.

    ask: called as ask(unet, noisy, t, condition, class_labels=poses), gives the noise that a U-Net predicts.
    A new one predicts what `unet` does.
    """

    def __init__(self, unet: nn.Module, rank: int, ask: Callable[..., Tensor]) -> None:
        super().__init__()
        from diffusers.models.embeddings import TimestepEmbedding
        from peft import LoraConfig

        twin: Any = copy.deepcopy(unet, {id(tensor): tensor for tensor in _tensors(unet)})
        twin.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=ATTENTION))
        like = next(unet.parameters())
        camera = TimestepEmbedding(POSE, twin.time_embedding.linear_2.out_features).to(like.device)
        nn.init.zeros_(camera.linear_2.weight)
        nn.init.zeros_(camera.linear_2.bias)
        twin.class_embedding = camera
        for parameter in twin.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self.unet = twin
        self._ask = ask

    def forward(
        self, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B ..."]:
        """ε of pictures by the condition's cameras; by any camera where there are none."""
        device = self.unet.class_embedding.linear_1.weight.device
        poses = _poses(condition.cameras, len(noisy)).to(device)
        return self._ask(self.unet, noisy, t, condition, class_labels=poses)


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _poses(cameras: Cameras | None, count: int) -> Float[Tensor, "B P"]:
    """World to camera as numbers; zeros for any camera."""
    if cameras is None:
        return torch.zeros(count, POSE)
    return cameras.world_to_camera[:, :3].flatten(1).float()
