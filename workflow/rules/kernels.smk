# The kernels of searches on trees, compiled once for all steps of all studies: on a cold cache each step would compile
# them for itself. What is compiled decides how long a step takes, never what it computes, so no step runs again for it.


rule compile_kernels:
    output:
        "results/.kernels/compiled",
    log:
        "results/.kernels/compile.log",
    conda:
        ENVIRONMENT
    script:
        "../scripts/compile_kernels.py"
