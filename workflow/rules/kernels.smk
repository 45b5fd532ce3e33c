# The kernels of exact searches, compiled once for all steps of all studies: on a cold cache each step would compile them
# for itself. What is compiled decides how long a step takes, never what it computes, so no step runs again for it.


rule compile_kernels:
    output:
        "results/.kernels/{form}",
    log:
        "results/.kernels/{form}.log",
    wildcard_constraints:
        form="[a-z]+",
    conda:
        ENVIRONMENT
    script:
        "../scripts/compile_kernels.py"
