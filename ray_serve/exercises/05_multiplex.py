"""A tenant has its own classifier, and its own way to say who it is: an API key.

`Gateway` stands before the deployment with the models. It looks the key up and passes the picture
on, so that the request reaches a replica that has this tenant's model.

    make check EX=ray_serve/05
"""

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Gateway:
    def __init__(self, models: DeploymentHandle, tenants: dict[str, str]) -> None:
        """MODELS has a method predict(picture) -> label; TENANTS is the tenant of each API key."""
        self.models, self.tenants = models, tenants

    async def predict(self, key: str, picture: str) -> str:
        """The label, by the model of the key's tenant; PermissionError for an unknown key.

        The picture goes on with the tenant as multiplexed model id (see handle.options).
        """
        raise NotImplementedError
