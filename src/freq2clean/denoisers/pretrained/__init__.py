"""A network that ships with freq2clean. Its runtime is imported when it is first needed."""

from freq2clean.denoisers.pretrained.denoiser import Pretrained, PretrainedModel

__all__ = ["Pretrained", "PretrainedModel"]
