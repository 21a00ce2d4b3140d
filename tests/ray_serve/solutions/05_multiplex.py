"""Reference solution: the model id travels beside the arguments, where the router reads it."""

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Gateway:
    def __init__(self, models: DeploymentHandle, tenants: dict[str, str]) -> None:
        self.models, self.tenants = models, tenants

    async def predict(self, key: str, picture: str) -> str:
        if key not in self.tenants:
            raise PermissionError("this API key belongs to no tenant")
        models = self.models.options(multiplexed_model_id=self.tenants[key])
        return await models.predict.remote(picture)
