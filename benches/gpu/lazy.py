"""Archives that stand for NVIDIA's libraries when `rord-run` is linked, and open the real ones when they are first called.

A binary linked to `libcuda.so.1` does not even start where there is no driver. One linked to these archives does, and is told "no
device" by the first call, so that `--device cuda` can be a report. It also finds CUDA's libraries wherever the loader does (a
toolkit's folder, PyTorch's), with no path of the machine it was built on.

    python3 lazy.py CUDARC FOLDER

CUDARC is the source of the crate `cudarc`, which lists the functions; the archives are written into FOLDER.
"""

import re
import subprocess
import sys
from pathlib import Path

# Module of cudarc, library as the linker asks for it, the file that is opened, what its functions return where it is missing.
LIBRARIES = [
    ("driver", "cuda", "libcuda.so.1", 100),  # CUDA_ERROR_NO_DEVICE
    ("nvrtc", "nvrtc", "libnvrtc.so.13", 11),  # NVRTC_ERROR_INTERNAL_ERROR
    ("curand", "curand", "libcurand.so.10", 203),  # CURAND_STATUS_INITIALIZATION_FAILED
    ("cublas", "cublas", "libcublas.so.13", 1),  # CUBLAS_STATUS_NOT_INITIALIZED
    ("cudnn", "cudnn", "libcudnn.so.9", 1001),  # CUDNN_STATUS_NOT_INITIALIZED
    ("nccl", "nccl", "libnccl.so.2", 3),  # ncclInternalError
    ("cublaslt", "cublasLt", "libcublasLt.so.13", 1),
]

# Arguments are kept while the function is looked for. An odd number of words is on the stack when it is called, its index included.
SLOW = """
lazy_{0}_slow:
    push %rdi; push %rsi; push %rdx; push %rcx; push %r8; push %r9; push %rax
    sub $136, %rsp
    {save}
    mov 192(%rsp), %rdi
    call lazy_{0}_find
    mov %rax, %r11
    {restore}
    add $136, %rsp
    pop %rax; pop %r9; pop %r8; pop %rcx; pop %rdx; pop %rsi; pop %rdi
    add $8, %rsp
    jmp *%r11
"""

FIND = """
#include <dlfcn.h>
extern void *lazy_{0}_at[];
static const char *const names[] = {{{names}}};
static int missing(void) {{ return {code}; }}
__attribute__((visibility("hidden"))) void *lazy_{0}_find(long index) {{
    void *library = dlopen("{file}", RTLD_NOW | RTLD_GLOBAL);
    void *found = library ? dlsym(library, names[index]) : 0;
    if (!found) found = (void *)missing;
    __atomic_store_n(&lazy_{0}_at[index], found, __ATOMIC_RELEASE);
    return found;
}}
"""


def assembly(name, functions):
    """Each function jumps where its entry of the table says: at first, to what looks for it."""
    save = "; ".join(f"movups %xmm{i}, {16 * i}(%rsp)" for i in range(8))
    restore = "; ".join(f"movups {16 * i}(%rsp), %xmm{i}" for i in range(8))
    lines = [".text", SLOW.format(name, save=save, restore=restore)]
    for i, function in enumerate(functions):
        lines.append(f".globl {function}\n.type {function}, @function\n{function}: jmp *lazy_{name}_at+{8 * i}(%rip)")
        lines.append(f"lazy_{name}_{i}: push ${i}\n jmp lazy_{name}_slow")
    lines.append(f".data\n.balign 8\n.globl lazy_{name}_at\n.hidden lazy_{name}_at\nlazy_{name}_at:")
    lines += [f".quad lazy_{name}_{i}" for i in range(len(functions))]
    return "\n".join(lines + ['.section .note.GNU-stack,"",@progbits', ""])


def main(cudarc, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for module, name, file, code in LIBRARIES:
        text = (cudarc / "src" / module / "sys" / "mod.rs").read_text()
        functions = sorted(set(re.findall(r'load::<_F>\("(\w+)"\)', text)))
        if not functions:
            sys.exit(f"{cudarc}: no functions of {name} were found; is it the source of cudarc 0.19?")
        names = ", ".join(f'"{f}"' for f in functions)
        (folder / f"{name}.S").write_text(assembly(name, functions))
        (folder / f"{name}.c").write_text(FIND.format(name, names=names, file=file, code=code))
        for suffix in ("S", "c"):
            source, object_file = folder / f"{name}.{suffix}", folder / f"{name}_{suffix}.o"
            subprocess.run(["gcc", "-O2", "-fPIC", "-c", source, "-o", object_file], check=True)
        archive = folder / f"lib{name}.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "rcs", archive, folder / f"{name}_S.o", folder / f"{name}_c.o"], check=True)
        print(f"{archive.name}: {len(functions)} functions of {file}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
