"""What this distribution brings to skrand's registry: data only."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries() -> list[Entry]:
    """Declare the entries of this distribution."""
    return [
        Entry(
            kind="estimator",
            name="BandlimitedFeatures",
            target="skrand_features:BandlimitedFeatures",
            task=None,
            summary="Random hidden layer with weights in a bounded box whose size the data choose",
            capabilities=frozenset({"sparse", "multi-output", "float32", "inductive"}),
            reference=(
                "M. Li, S. Sonoda, F. Cao, Y. G. Wang, J. Liang. How Powerful are Shallow Neural "
                "Networks with Bandlimited Random Weights? ICML 2023, PMLR 202:19960-19981. "
                "arXiv:2008.08427"
            ),
            claim="skrand_features._claims:bandlimited",
            demo="skrand_features._demo:bandlimited",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="PTDStateSpaceFeatures",
            target="skrand_features:PTDStateSpaceFeatures",
            task=None,
            summary="Memory of series as polynomials: frozen state-space models, diagonalised",
            capabilities=frozenset({"float32", "inductive"}),
            reference=(
                "A. Yu, A. Nigmetov, D. Morozov, M. W. Mahoney, N. B. Erichson. Robustifying "
                "State-space Models for Long Sequences via Approximate Diagonalization. ICLR 2024. "
                "arXiv:2310.01698"
            ),
            claim="skrand_features._claims:state_space",
            demo="skrand_features._demo:state_space",
            since="0.1",
        ),
    ]
