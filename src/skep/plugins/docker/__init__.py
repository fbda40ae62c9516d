"""Instance plugin `docker`: a machine is a container that runs its own Docker Engine."""

from skep.plugins.docker.instances import DockerInstances

__all__ = ["DockerInstances"]
