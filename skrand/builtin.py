"""What the core brings, through the same hook as any plugin: one table a domain, data only."""

from __future__ import annotations

from functools import partial

from skrand.registry import Entry, hookimpl

__all__ = ["skrand_entries"]


@hookimpl
def skrand_entries() -> list[Entry]:
    """Declare the core's tasks, solvers and estimators."""
    return [
        *_sketching(),
        *_least_squares(),
        *_linear_system(),
        *_lp_regression(),
        *_transport(),
        *_matrix_sensing(),
        *_clustering(),
        *_manifold(),
        *_fewshot(),
        *_completion(),
    ]


def _sketching() -> list[Entry]:
    return [
        Entry(
            kind="estimator",
            name="SketchTransformer",
            target="skrand.linalg.transformer:SketchTransformer",
            summary="Random projection of the features, by operators that are never stored",
            capabilities={"sparse", "float32", "inductive"},
            reference=(
                "N. Ailon, B. Chazelle. The Fast Johnson-Lindenstrauss Transform and Approximate "
                "Nearest Neighbors. SIAM J. Comput. 39, 2009. doi:10.1137/060673096"
            ),
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="SketchedFit",
            target="skrand.regression.sketched_fit:SketchedFit",
            summary="Any linear regressor, fitted on a sketch or a sample of the rows",
            capabilities={"sparse", "multi-output", "float32", "inductive"},
            since="0.1",
        ),
    ]


def _least_squares() -> list[Entry]:
    at = "skrand.regression"
    solver = partial(Entry, kind="solver", task="least-squares", since="0.1")
    dense = {"sample-weight", "multi-output", "float32"}
    everything = {*dense, "sparse"}
    bjorck = (
        "A. Bjorck. Numerical Methods for Least Squares Problems. SIAM, 1996. "
        "doi:10.1137/1.9781611971484"
    )
    return [
        Entry(
            kind="task",
            name="least-squares",
            target=f"{at}.problem:LeastSquaresTask",
            summary="Fit a linear model: weighted, ridge, several targets",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="SketchedRegressor",
            target=f"{at}.estimator:SketchedRegressor",
            task="least-squares",
            summary="Linear regression by a solver of your choice",
            capabilities={*everything, "inductive", "partial-fit"},
            demo=f"{at}.demo:sketched_regressor",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:Auto",
            summary="The cheapest solver whose answer is verified",
            capabilities={*everything, "partial-fit"},
            default=True,
        ),
        solver(
            name="lapack",
            target=f"{at}.solvers.lapack:Lapack",
            summary="Singular values of the scaled matrix: right at any condition",
            capabilities={*dense, "deterministic"},
            reference=bjorck,
        ),
        solver(
            name="cg",
            target=f"{at}.solvers.cg:ConjugateGradients",
            summary="Conjugate gradients: sparse data with very many columns",
            capabilities={*everything, "deterministic"},
            reference=bjorck,
        ),
        solver(
            name="chol",
            target=f"{at}.solvers.chol:Cholesky",
            summary="Cholesky of the scaled Gram matrix, then refinement",
            capabilities={*everything, "deterministic", "partial-fit"},
            reference=bjorck,
        ),
        solver(
            name="pne",
            target=f"{at}.solvers.pne:PNE",
            summary="Normal equations of preconditioned data: any condition",
            capabilities=dense,
            reference=(
                "V. Rokhlin, M. Tygert. A fast randomized algorithm for overdetermined linear "
                "least-squares regression. PNAS 105, 2008. doi:10.1073/pnas.0804869105"
            ),
        ),
        solver(
            name="sap",
            target=f"{at}.solvers.sap:SAP",
            summary="Sketch to precondition: full accuracy at any condition",
            capabilities=everything,
            reference=(
                "H. Avron, P. Maymounkov, S. Toledo. Blendenpik: Supercharging LAPACK's "
                "Least-Squares Solver. SIAM J. Sci. Comput. 32, 2010. doi:10.1137/090767911"
            ),
        ),
        solver(
            name="spir",
            target=f"{at}.solvers.spir:SPIR",
            summary="A large sketch: few passes over the data at any condition",
            capabilities=everything,
            claim=f"{at}.claims:stability",
            reference=(
                "E. N. Epperly, M. Meier, Y. Nakatsukasa. Fast randomized least-squares solvers "
                "can be just as accurate and stable as classical direct solvers. 2024. "
                "arXiv:2406.03468"
            ),
        ),
        solver(
            name="sketch-project",
            target=f"{at}.solvers.sketch_project:SketchProject",
            summary="Random blocks of unknowns in turn: least memory, many passes",
            capabilities=everything,
            reference=(
                "R. M. Gower, P. Richtarik. Randomized Iterative Methods for Linear Systems. SIAM "
                "J. Matrix Anal. Appl. 36, 2015. arXiv:1506.03296"
            ),
        ),
        solver(
            name="sketch",
            target=f"{at}.solvers.sketch:SketchAndSolve",
            summary="Solve a sketch of the problem and estimate the error made",
            capabilities={*everything, "partial-fit"},
            reference=(
                "T. Sarlos. Improved Approximation Algorithms for Large Matrices via Random "
                "Projections. FOCS 2006. doi:10.1109/FOCS.2006.37"
            ),
            claim=f"{at}.claims:linf",
        ),
    ]


def _linear_system() -> list[Entry]:
    at = "skrand.regression"
    return [
        Entry(
            kind="task",
            name="linear-system",
            target=f"{at}.linear_system:LinearSystemTask",
            summary="Solve equations that hold exactly, of any number",
            since="0.1",
        ),
        Entry(
            kind="solver",
            task="linear-system",
            name="sketch-project",
            target=f"{at}.solvers.kaczmarz:BlockKaczmarz",
            summary="Random blocks of equations in turn (randomized Kaczmarz)",
            capabilities={"multi-output", "float32", "sparse"},
            reference=(
                "R. M. Gower, P. Richtarik. Randomized Iterative Methods for Linear Systems. SIAM "
                "J. Matrix Anal. Appl. 36, 2015. arXiv:1506.03296"
            ),
            default=True,
            since="0.1",
        ),
    ]


def _lp_regression() -> list[Entry]:
    at = "skrand.regression"
    solver = partial(Entry, kind="solver", task="lp-regression", since="0.1")
    everything = {"sample-weight", "multi-output", "float32", "sparse"}
    return [
        Entry(
            kind="task",
            name="lp-regression",
            target=f"{at}.lp_problem:LpRegressionTask",
            summary="Fit a linear model in the p-norm; p = 1 is median regression",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.lp_auto:LpAuto",
            summary="The cheapest solver whose answer is verified",
            capabilities={*everything, "l1-loss", "lp-loss"},
            default=True,
        ),
        solver(
            name="ipm",
            target=f"{at}.solvers.ipm:InteriorPoint",
            summary="Interior point on the bounded dual, with a certificate: p = 1",
            capabilities={*everything, "l1-loss"},
            reference=(
                "S. Portnoy, R. Koenker. The Gaussian hare and the Laplacian tortoise: "
                "computability of squared-error versus absolute-error estimators. Statistical "
                "Science 12, 1997. doi:10.1214/ss/1030037960"
            ),
        ),
        solver(
            name="sampling",
            target=f"{at}.solvers.sampling:Sampling",
            summary="A sample, then the rows whose sign is in doubt, verified: p = 1",
            capabilities={*everything, "l1-loss"},
            reference=(
                "S. Portnoy, R. Koenker. The Gaussian hare and the Laplacian tortoise: "
                "computability of squared-error versus absolute-error estimators. Statistical "
                "Science 12, 1997. doi:10.1214/ss/1030037960"
            ),
        ),
        solver(
            name="newton",
            target=f"{at}.solvers.newton:Newton",
            summary="Newton's method in one fused pass a step, with a certificate: p > 1",
            capabilities={*everything, "lp-loss"},
            reference=(
                "D. Adil, R. Peng, S. Sachdeva. Fast, Provably Convergent IRLS Algorithm for "
                "p-norm Linear Regression. NeurIPS 2019. arXiv:1907.07167"
            ),
        ),
        solver(
            name="coreset",
            target=f"{at}.solvers.coreset:Coreset",
            summary="A weighted sample of rows, grown until a bound certifies it",
            capabilities={*everything, "l1-loss", "lp-loss"},
            reference=(
                "D. P. Woodruff, T. Yasuda. Sharper Bounds for l_p Sensitivity Sampling. ICML "
                "2023. arXiv:2306.00732"
            ),
            claim=f"{at}.lp_claims:coreset",
        ),
    ]


def _completion() -> list[Entry]:
    at = "skrand.completion"
    everything = {"sparse", "sample-weight", "missing", "float32"}
    solver = partial(
        Entry, kind="solver", task="matrix-completion", capabilities=everything, since="0.1"
    )
    am = (
        "Y. Gu, Z. Song, J. Yin, L. Zhang. Low Rank Matrix Completion via Robust Alternating "
        "Minimization in Nearly Linear Time. ICLR 2024. arXiv:2302.11068"
    )
    return [
        Entry(
            kind="task",
            name="matrix-completion",
            target=f"{at}.problem:MatrixCompletionTask",
            summary="Fill in a matrix of low rank from some of its entries",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="LowRankCompleter",
            target=f"{at}.estimator:LowRankCompleter",
            task="matrix-completion",
            summary="Imputer of low rank: observed entries come back bit for bit",
            capabilities={
                "sparse",
                "missing",
                "float32",
                "inductive",
                "warm-start",
                "partial-fit",
            },
            demo=f"{at}.demo:low_rank_completer",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="LowRankEntryRegressor",
            target=f"{at}.entries:LowRankEntryRegressor",
            task="matrix-completion",
            summary="Regression on (row, column) pairs by a matrix of low rank plus biases",
            capabilities={"sample-weight", "float32", "warm-start"},
            demo=f"{at}.demo:low_rank_entry_regressor",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:Auto",
            summary="The solver that fits the problem",
            reference=am,
            default=True,
        ),
        solver(
            name="am",
            target=f"{at}.solvers.am:AlternatingMinimisation",
            summary="Alternate while the penalty falls: exact from few entries",
            reference=am,
            claim=f"{at}.claims:alternating_minimisation",
        ),
        solver(
            name="als",
            target=f"{at}.solvers.als:AlternatingLeastSquares",
            summary="Alternate at a fixed penalty: needs more entries",
            reference=(
                "Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan. Large-scale Parallel Collaborative "
                "Filtering for the Netflix Prize. AAIM 2008. doi:10.1007/978-3-540-68880-8_32"
            ),
        ),
        solver(
            name="softimpute",
            target=f"{at}.solvers.softimpute:SoftImpute",
            summary="Shrinks singular values, along a path: finds the rank",
            reference=(
                "R. Mazumder, T. Hastie, R. Tibshirani. Spectral Regularization Algorithms for "
                "Learning Large Incomplete Matrices. JMLR 11, 2010"
            ),
        ),
        solver(
            name="softimpute-als",
            target=f"{at}.solvers.softimpute:SoftImputeALS",
            summary="Alternating ridge regressions on the filled-in matrix",
            reference=(
                "T. Hastie, R. Mazumder, J. Lee, R. Zadeh. Matrix Completion and Low-Rank SVD via "
                "Fast Alternating Least Squares. JMLR 16, 2015. arXiv:1410.2596"
            ),
        ),
        solver(
            name="scaledgd",
            target=f"{at}.solvers.scaledgd:ScaledGradientDescent",
            summary="Gradients, preconditioned by the other factor",
            reference=(
                "T. Tong, C. Ma, Y. Chi. Accelerating Ill-Conditioned Low-Rank Matrix Estimation "
                "via Scaled Gradient Descent. JMLR 22, 2021. arXiv:2005.08898"
            ),
        ),
        solver(
            name="lrgeomcg",
            target=f"{at}.solvers.scaledgd:RiemannianCG",
            summary="Conjugate gradients on matrices of fixed rank",
            reference=(
                "B. Vandereycken. Low-Rank Matrix Completion by Riemannian Optimization. "
                "SIAM J. Optim. 23, 2013. arXiv:1209.3834"
            ),
        ),
        solver(
            name="ccd",
            target=f"{at}.solvers.ccd:CoordinateDescent",
            summary="Coordinate descent: factors that are not negative",
            reference=(
                "H.-F. Yu, C.-J. Hsieh, S. Si, I. Dhillon. Scalable Coordinate Descent Approaches "
                "to Parallel Matrix Factorization for Recommender Systems. ICDM 2012. "
                "doi:10.1109/ICDM.2012.168"
            ),
        ),
    ]


def _matrix_sensing() -> list[Entry]:
    at = "skrand.completion.sensing"
    everything = {"sparse", "sample-weight", "float32", "lazy"}
    solver = partial(Entry, kind="solver", task="matrix-sensing", since="0.1")
    return [
        Entry(
            kind="task",
            name="matrix-sensing",
            target=f"{at}.problem:MatrixSensingTask",
            summary="A matrix of low rank from linear measurements of it",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="MatrixSensingRegressor",
            target=f"{at}.estimator:MatrixSensingRegressor",
            task="matrix-sensing",
            summary="Linear regression whose coefficients form a matrix of low rank",
            capabilities={*everything, "inductive"},
            demo=f"{at}.demo:matrix_sensing_regressor",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:Auto",
            summary="The cheapest solver that converges",
            capabilities={*everything, "deterministic"},
            default=True,
        ),
        solver(
            name="rgn",
            target=f"{at}.solvers.rgn:RGN",
            summary="Gauss-Newton along matrices of the rank: a handful of iterations",
            capabilities={*everything, "deterministic"},
            reference=(
                "Y. Luo, W. Huang, X. Li, A. R. Zhang. Recursive Importance Sketching for Rank "
                "Constrained Least Squares: Algorithms and High-Order Convergence. Operations "
                "Research, 2023. arXiv:2011.08360"
            ),
            claim=f"{at}.claims:gauss_newton",
        ),
        solver(
            name="scaledgd",
            target=f"{at}.solvers.scaledgd:ScaledGD",
            summary="Gradient descent at a rate that no condition number slows",
            capabilities={*everything, "deterministic"},
            reference=(
                "T. Tong, C. Ma, Y. Chi. Accelerating Ill-Conditioned Low-Rank Matrix Estimation "
                "via Scaled Gradient Descent. JMLR 22, 2021. arXiv:2005.08898"
            ),
        ),
        solver(
            name="gd",
            target=f"{at}.solvers.gd:GD",
            summary="Gradient descent from a small random start, rebalanced once",
            capabilities=everything,
            reference=(
                "N. Xiong, L. Ding, S. S. Du. How Over-Parameterization Slows Down Gradient "
                "Descent in Matrix Sensing: The Curses of Symmetry and Initialization. ICLR 2024. "
                "arXiv:2310.01769"
            ),
            claim=f"{at}.claims:gradient_descent",
        ),
    ]


def _transport() -> list[Entry]:
    at = "skrand.transport"
    everything = {"sample-weight", "float32", "lazy"}
    solver = partial(
        Entry,
        kind="solver",
        task="entropic-transport",
        capabilities={*everything, "deterministic", "warm-start"},
        since="0.1",
    )
    sns = (
        "X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying. "
        "Accelerating Sinkhorn Algorithm with Sparse Newton Iterations. ICLR 2024. arXiv:2401.12253"
    )
    return [
        Entry(
            kind="task",
            name="entropic-transport",
            target=f"{at}.problem:EntropicTransportTask",
            summary="Optimal transport with an entropic penalty",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="SinkhornNewtonOT",
            target=f"{at}.estimator:SinkhornNewtonOT",
            task="entropic-transport",
            summary="Optimal transport of data to a target, and its smooth map",
            capabilities={*everything, "inductive", "unbalanced", "warm-start"},
            demo=f"{at}.demo:sinkhorn_newton_ot",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="OTAdapter",
            target=f"{at}.adapter:OTAdapter",
            summary="Trains where the labels are, predicts where the data went",
            capabilities={"float32", "inductive"},
            reference=(
                "N. Courty, R. Flamary, D. Tuia, A. Rakotomamonjy. Optimal Transport for Domain "
                "Adaptation. IEEE Transactions on Pattern Analysis and Machine Intelligence 39(9), "
                "2017. arXiv:1507.00504"
            ),
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:AnnealedNewton",
            capabilities={*everything, "deterministic", "unbalanced", "warm-start"},
            summary="Newton, annealed, on a plan as sparse as the error allows",
            reference=sns,
            claim=f"{at}.claims:annealed_newton",
            default=True,
        ),
        solver(
            name="sns",
            target=f"{at}.solvers.sns:SNS",
            capabilities={"sample-weight", "float32", "deterministic", "warm-start"},
            summary="Sinkhorn, then Newton with a fixed number of kept entries",
            reference=sns,
            claim=f"{at}.claims:sinkhorn_newton_sparse",
        ),
        solver(
            name="sinkhorn",
            target=f"{at}.solvers.sinkhorn:Sinkhorn",
            summary="Sinkhorn in the log domain, over-relaxed, one exp a pair",
            reference=(
                "A. Thibault, L. Chizat, C. Dossal, N. Papadakis. Overrelaxed Sinkhorn-Knopp "
                "Algorithm for Regularized Optimal Transport. Algorithms 14(5), 2021. "
                "arXiv:1711.01851"
            ),
        ),
        solver(
            name="exact",
            target=f"{at}.solvers.exact:Exact",
            summary="Without regularisation, to a certified gap, by proximal steps",
            reference=(
                "D. Wu, L. Liang, H. Yang. PINS: Proximal Iterations with Sparse Newton and "
                "Sinkhorn for Optimal Transport. 2025. arXiv:2502.03749"
            ),
        ),
    ]


def _manifold() -> list[Entry]:
    at = "skrand.clustering"
    molrg = (
        "P. Wang, H. Zhang, Z. Zhang, S. Chen, Y. Ma, Q. Qu. Diffusion Models Learn "
        "Low-Dimensional Distributions via Subspace Clustering. 2024. arXiv:2409.02426"
    )
    mlc = (
        "T. Ding, S. Tong, K. H. R. Chan, X. Dai, Y. Ma, B. D. Haeffele. Unsupervised Manifold "
        "Linearizing and Clustering. ICCV 2023. arXiv:2301.01805"
    )
    solver = partial(Entry, kind="solver", task="subspace-clustering", since="0.1")
    return [
        solver(
            name="mcr2",
            target=f"{at}.solvers.mcr2:MCR2",
            summary="Refines labels by coding rates: any dimensions, any sizes",
            capabilities={"float32", "warm-start"},
            reference=(
                "Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma. Learning Diverse and Discriminative "
                "Representations via the Principle of Maximal Coding Rate Reduction. NeurIPS 2020. "
                "arXiv:2006.08558"
            ),
        ),
        solver(
            name="molrg",
            target=f"{at}.solvers.molrg:MoLRG",
            claim=f"{at}.claims:molrg_transition",
            summary="Likelihood of a mixture of low-rank Gaussians, by EM",
            capabilities={"float32", "warm-start"},
            reference=molrg,
        ),
        solver(
            name="laplacian",
            target=f"{at}.solvers.laplacian:LaplacianBound",
            summary="Soft subspaces that agree with the neighbours' labels",
            capabilities={"float32", "warm-start"},
            reference=(
                "I. M. Ziko, J. Dolz, E. Granger, I. Ben Ayed. Laplacian Regularized Few-Shot "
                "Learning. ICML 2020. arXiv:2006.15486"
            ),
        ),
        Entry(
            kind="task",
            name="manifold-linearization",
            target=f"{at}.linearization:ManifoldLinearizationTask",
            summary="Map manifolds to orthogonal subspaces by coding rates",
            since="0.1",
        ),
        Entry(
            kind="solver",
            task="manifold-linearization",
            name="prototype",
            target=f"{at}.solvers.prototype:Prototype",
            claim=f"{at}.claims:linearised_digits",
            summary="One membership a cluster, free or balanced; all rows or batches",
            capabilities={"warm-start"},
            reference=mlc,
            default=True,
            since="0.1",
        ),
        Entry(
            kind="solver",
            task="manifold-linearization",
            name="pairwise",
            target=f"{at}.solvers.pairwise:Pairwise",
            claim=f"{at}.claims:pairwise_digits",
            summary="A doubly stochastic membership of all pairs, as published",
            reference=mlc,
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="ManifoldLinearizer",
            target=f"{at}.linearizer:ManifoldLinearizer",
            task="manifold-linearization",
            demo=f"{at}.demo:manifold_linearizer",
            summary="Map manifolds to nearly orthogonal subspaces, without labels",
            capabilities={"float32", "inductive"},
            reference=mlc,
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="LowRankGaussianMixture",
            target=f"{at}.mixture:LowRankGaussianMixture",
            summary="Density on a union of noisy subspaces: clusters, samples, denoises",
            capabilities={"inductive"},
            reference=molrg,
            since="0.1",
        ),
    ]


def _clustering() -> list[Entry]:
    at = "skrand.clustering"
    lim = (
        "D. Lim, R. Vidal, B. D. Haeffele. Doubly Stochastic Subspace Clustering. 2020. "
        "arXiv:2011.14859"
    )
    solver = partial(
        Entry, kind="solver", task="subspace-clustering", capabilities={"float32"}, since="0.1"
    )
    return [
        Entry(
            kind="task",
            name="subspace-clustering",
            target=f"{at}.problem:SubspaceClusteringTask",
            summary="Part rows near a union of subspaces",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="SubspaceClusterer",
            target=f"{at}.estimator:SubspaceClusterer",
            task="subspace-clustering",
            summary="Clusters near subspaces, their bases, and labels for new rows",
            capabilities={"float32", "inductive", "partial-fit"},
            demo=f"{at}.demo:subspace_clusterer",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:Auto",
            summary="The best of a grid of graphs, on a sample if there are many rows",
            reference=lim,
            default=True,
        ),
        solver(
            name="adssc",
            target=f"{at}.solvers.adssc:ADSSC",
            summary="Least-squares representation, made doubly stochastic",
            reference=lim,
            claim=f"{at}.claims:multiplicity",
        ),
        solver(
            name="lsr",
            target=f"{at}.solvers.lsr:LSR",
            summary="Least-squares representation",
            reference=(
                "C.-Y. Lu, H. Min, Z.-Q. Zhao, L. Zhu, D.-S. Huang, S. Yan. Robust and Efficient "
                "Subspace Segmentation via Least Squares Regression. ECCV 2012. arXiv:1404.6736"
            ),
        ),
        solver(
            name="ensc",
            target=f"{at}.solvers.ensc:EnSC",
            summary="Elastic net representation, by active sets on blocks of rows",
            reference=(
                "C. You, C.-G. Li, D. P. Robinson, R. Vidal. Oracle Based Active Set Algorithm for "
                "Scalable Elastic Net Subspace Clustering. CVPR 2016. arXiv:1605.02633"
            ),
        ),
        solver(
            name="ssc",
            target=f"{at}.solvers.ensc:SSC",
            summary="Sparse representation by the l1 norm",
            reference=(
                "E. Elhamifar, R. Vidal. Sparse Subspace Clustering: Algorithm, Theory, and "
                "Applications. IEEE TPAMI 35, 2013. arXiv:1203.1005"
            ),
        ),
        solver(
            name="ssc-omp",
            target=f"{at}.solvers.omp:SSCOMP",
            summary="Sparse representation by orthogonal matching pursuit",
            reference=(
                "C. You, D. P. Robinson, R. Vidal. Scalable Sparse Subspace Clustering by "
                "Orthogonal Matching Pursuit. CVPR 2016. arXiv:1507.01238"
            ),
        ),
        solver(
            name="tsc",
            target=f"{at}.solvers.tsc:TSC",
            summary="The rows at the smallest angles",
            reference=(
                "R. Heckel, H. Boelcskei. Robust Subspace Clustering via Thresholding. IEEE Trans. "
                "Inf. Theory 61, 2015. arXiv:1307.4891"
            ),
        ),
        solver(
            name="lrsc",
            target=f"{at}.solvers.lrsc:LRSC",
            summary="Representation of least nuclear norm, in closed form",
            reference=(
                "R. Vidal, P. Favaro. Low rank subspace clustering (LRSC). Pattern Recognition "
                "Letters 43, 2014. doi:10.1016/j.patrec.2013.08.006"
            ),
        ),
        solver(
            name="ekss",
            target=f"{at}.solvers.ekss:EKSS",
            summary="How often rows fall together in many runs of K-subspaces",
            reference=(
                "J. Lipor, D. Hong, Y. S. Tan, L. Balzano. Subspace Clustering Using Ensembles of "
                "K-Subspaces. Information and Inference 10, 2021. arXiv:1709.04744"
            ),
        ),
        solver(
            name="kss",
            target=f"{at}.solvers.kss:KSS",
            summary="K-subspaces: assign and refit, from several starts or given labels",
            capabilities={"float32", "warm-start"},
            reference=(
                "P. S. Bradley, O. L. Mangasarian. k-Plane Clustering. J. Global Optimization 16, "
                "2000. doi:10.1023/A:1008324625522"
            ),
        ),
        solver(
            name="sampled",
            target=f"{at}.solvers.sampled:Sampled",
            summary="Clusters a sample; the nearest subspace for the rest",
            claim=f"{at}.claims:million_rows",
            reference=(
                "X. Peng, L. Zhang, Z. Yi. Scalable Sparse Subspace Clustering. CVPR 2013. "
                "doi:10.1109/CVPR.2013.62"
            ),
        ),
        solver(
            name="precomputed",
            target=f"{at}.solvers.precomputed:Precomputed",
            summary="Cuts a graph that is given",
        ),
    ]


def _fewshot() -> list[Entry]:
    at = "skrand.fewshot"
    capabilities = {"float32", "deterministic"}
    solver = partial(
        Entry,
        kind="solver",
        task="transductive-labelling",
        capabilities=capabilities,
        since="0.1",
    )
    return [
        Entry(
            kind="task",
            name="transductive-labelling",
            target=f"{at}.problem:TransductiveLabellingTask",
            summary="Label a batch of rows together, from a few labelled ones",
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="TransductiveFewShot",
            target=f"{at}.estimator:TransductiveFewShot",
            task="transductive-labelling",
            summary="Few-shot classifier that learns from the rows it labels",
            capabilities={"float32", "inductive"},
            demo=f"{at}.demo:transductive_few_shot",
            since="0.1",
        ),
        solver(
            name="auto",
            target=f"{at}.solvers.auto:Auto",
            summary="Clustering that finds out whether classes are balanced",
            claim=f"{at}.claims:balance",
            default=True,
        ),
        solver(
            name="alpha-tim",
            target=f"{at}.solvers.tim:AlphaTIM",
            summary="Information maximisation by Tsallis entropies",
            reference=(
                "O. Veilleux, M. Boudiaf, P. Piantanida, I. Ben Ayed. Realistic evaluation of "
                "transductive few-shot learning. NeurIPS 2021. arXiv:2204.11181"
            ),
        ),
        solver(
            name="bd-cspn",
            target=f"{at}.solvers.bd_cspn:BDCSPN",
            summary="Prototypes rectified by the queries, in one step",
            reference=(
                "J. Liu, L. Song, Y. Qin. Prototype Rectification for Few-Shot Learning. ECCV "
                "2020. arXiv:1911.10713"
            ),
        ),
        solver(
            name="laplacian-shot",
            target=f"{at}.solvers.laplacian_shot:LaplacianShot",
            summary="Fixed prototypes and the labels of nearest queries",
            reference=(
                "I. Ziko, J. Dolz, E. Granger, I. Ben Ayed. Laplacian Regularized Few-Shot "
                "Learning. ICML 2020. arXiv:2006.15486"
            ),
        ),
        solver(
            name="niw",
            target=f"{at}.solvers.niw:NIW",
            summary="Gaussian classes with a hierarchy learnt on base classes",
            reference=(
                "M. Kim, T. Hospedales. A Hierarchical Bayesian Model for Deep Few-Shot Meta "
                "Learning. 2023. arXiv:2306.09702"
            ),
        ),
        solver(
            name="paddle",
            target=f"{at}.solvers.paddle:Paddle",
            summary="Clusters with a price on the number of classes in use",
            reference=(
                "S. Martin, M. Boudiaf, E. Chouzenoux, J.-C. Pesquet, I. Ben Ayed. Towards "
                "Practical Few-Shot Query Sets: Transductive Minimum Description Length "
                "Inference. NeurIPS 2022. arXiv:2210.14545"
            ),
        ),
        solver(
            name="pt-map",
            target=f"{at}.solvers.pt_map:PTMAP",
            summary="Class masses forced to balance by optimal transport",
            reference=(
                "Y. Hu, V. Gripon, S. Pateux. Leveraging the Feature Distribution in "
                "Transfer-based Few-Shot Learning. ICANN 2021. arXiv:2006.03806"
            ),
        ),
        solver(
            name="tim",
            target=f"{at}.solvers.tim:TIM",
            summary="Information maximisation: for balanced queries",
            reference=(
                "M. Boudiaf, I. Ziko, J. Rony, J. Dolz, P. Piantanida, I. Ben Ayed. Transductive "
                "Information Maximization For Few-Shot Learning. NeurIPS 2020. arXiv:2008.11297"
            ),
        ),
        solver(
            name="clustering",
            target=f"{at}.solvers.clustering:Clustering",
            summary="Soft clusters seeded by labels, smooth over a graph",
            claim=f"{at}.claims:clustering",
            reference=(
                "I. Ziko, J. Dolz, E. Granger, I. Ben Ayed. Laplacian Regularized Few-Shot "
                "Learning. ICML 2020. arXiv:2006.15486"
            ),
        ),
        solver(
            name="label-spreading",
            target=f"{at}.solvers.label_spreading:Spreading",
            summary="scikit-learn's LabelSpreading",
            reference=(
                "D. Zhou, O. Bousquet, T. N. Lal, J. Weston, B. Schoelkopf. Learning with Local "
                "and Global Consistency. NIPS 2003"
            ),
        ),
        solver(
            name="prototype",
            target=f"{at}.solvers.prototype:Prototype",
            summary="Nearest mean of the labelled rows",
            reference=(
                "Y. Wang, W.-L. Chao, K. Q. Weinberger, L. van der Maaten. SimpleShot: Revisiting "
                "Nearest-Neighbor Classification for Few-Shot Learning. 2019. arXiv:1911.04623"
            ),
        ),
    ]
