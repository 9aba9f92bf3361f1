// What kernels for GPUs are given where there is none: they are compiled as C++, and a launch runs its blocks one after another. A block
// whose threads wait for each other has a thread of the system for each of them; the others take turns in one. Nothing is fast here, and
// everything can be watched by sanitizers.
//
// The program reads one launch from standard input: the kernel's name, its blocks and threads, and its arguments, each a letter and what
// follows. It writes all tensors as they are afterwards to standard output.

#include <atomic>
#include <barrier>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using std::floor;
using std::memcpy;
using std::sqrt;

struct Place {
    unsigned int x, y, z;
};

static thread_local Place blockIdx, threadIdx;
static Place blockDim, gridDim;
static std::barrier<> *waiting = nullptr;

#define __device__
#define __shared__ static
#define KERNEL static void

static inline void __syncthreads() {
    if (!waiting) {
        fprintf(stderr, "a kernel that waits was launched as one that does not\n");
        abort();
    }
    waiting->arrive_and_wait();
}

static inline double atomicAdd(double *at, double x) { return std::atomic_ref<double>(*at).fetch_add(x); }

struct Argument {
    char kind;
    long long whole;
    double real;
    // Exactly as long as it says, so that a number beyond the end is seen.
    std::unique_ptr<char[]> bytes;
    size_t length;
};

template <typename P> struct As {
    static P of(Argument &a) { return sizeof(P) == sizeof(double) && a.kind == 'r' ? (P)a.real : (P)a.whole; }
};
template <typename P> struct As<P *> {
    static P *of(Argument &a) { return (P *)a.bytes.get(); }
};

template <typename F> static void every(F kernel, bool waits) {
    auto blocks = [&](auto each) {
        for (unsigned int z = 0; z < gridDim.z; z++)
            for (unsigned int y = 0; y < gridDim.y; y++)
                for (unsigned int x = 0; x < gridDim.x; x++) each(Place{x, y, z});
    };
    unsigned int count = blockDim.x * blockDim.y;
    auto own = [&](unsigned int t) { return Place{t % blockDim.x, t / blockDim.x, 0}; };
    if (!waits) {
        blocks([&](Place block) {
            for (unsigned int t = 0; t < count; t++) {
                blockIdx = block;
                threadIdx = own(t);
                kernel();
            }
        });
        return;
    }
    std::barrier<> all(count);
    blocks([&](Place block) {
        waiting = &all;
        std::vector<std::thread> threads;
        for (unsigned int t = 0; t < count; t++)
            threads.emplace_back([&, t] {
                blockIdx = block;
                threadIdx = own(t);
                kernel();
                all.arrive_and_drop();
            });
        for (auto &thread : threads) thread.join();
        // Those that left are counted no more.
        all.~barrier();
        new (&all) std::barrier<>(count);
    });
}

template <typename... P, size_t... I>
static void launched(void (*kernel)(P...), std::vector<Argument> &a, bool waits, std::index_sequence<I...>) {
    if (a.size() != sizeof...(P)) {
        fprintf(stderr, "%zu arguments were given, the kernel takes %zu\n", a.size(), sizeof...(P));
        abort();
    }
    every([&] { kernel(As<P>::of(a[I])...); }, waits);
}

template <typename... P> static void launch(void (*kernel)(P...), std::vector<Argument> &a, bool waits) {
    launched(kernel, a, waits, std::make_index_sequence<sizeof...(P)>());
}

static Argument argument() {
    char kind;
    long long whole = 0;
    double real = 0;
    if (scanf(" %c", &kind) != 1) abort();
    if (kind == 'r' ? scanf("%lf", &real) != 1 : scanf("%lld", &whole) != 1) abort();
    Argument a{kind, whole, real, nullptr, 0};
    if (kind != 't') return a;
    a.length = (size_t)whole;
    a.bytes.reset(new char[a.length]);
    getchar();
    if (fread(a.bytes.get(), 1, a.length, stdin) != a.length) abort();
    return a;
}
