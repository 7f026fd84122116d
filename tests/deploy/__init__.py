"""What is deployed elsewhere: the Helm chart, rendered by helm and held to Kubernetes' own schemas."""
