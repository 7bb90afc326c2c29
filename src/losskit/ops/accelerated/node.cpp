// A loss as one C++ node of autograd: the C call, the node and its backward pass without Python frames.
// Compiled on request for the installed PyTorch; see losskit/ops/accelerated/__init__.py.
#include <Python.h>
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>
#include <cmath>
#include <memory>

namespace {

using at::Tensor;
using torch::autograd::SavedVariable;

// losskit_loss and losskit_details of csrc/loss.c
using Entry = int64_t (*)(const void *, void *, void *, void *, void *, const float *, void *, double *, void *const *,
                          const double *, double, void *, void *, int64_t, int64_t);
using Details = void (*)(double *);

constexpr double MOST_SCALE = 1e15; // as in losskit/ops/plan.py
constexpr int64_t TO_BE_SCALED = 4; // as in losskit/ops/constants.py

using Pointer = decltype(torch::autograd::Edge::function); // to a node: shared or intrusive, by the version of PyTorch

template <class T, class Kind = Pointer> Kind new_node(T **made) {
    if constexpr (std::is_same_v<Kind, std::shared_ptr<torch::autograd::Node>>) {
        auto node = std::make_shared<T>();
        *made = node.get();
        return node;
    } else {
        auto node = c10::make_intrusive<T>();
        *made = node.get();
        return node;
    }
}

[[noreturn]] void throw_error() {
    python_error error;
    error.persist();
    throw std::move(error);
}

struct Lock {
    PyGILState_STATE state = PyGILState_Ensure();
    ~Lock() { PyGILState_Release(state); }
};

struct Owned {
    PyObject *object;
    explicit Owned(PyObject *o) : object(o) {}
    Owned(const Owned &) = delete;
    Owned &operator=(const Owned &) = delete;
    ~Owned() { Py_XDECREF(object); }
};

PyObject *wrapped(const Tensor &tensor) {
    if (tensor.defined()) return THPVariable_Wrap(tensor);
    Py_RETURN_NONE;
}

Tensor tensor_of(PyObject *object) { return object == Py_None ? Tensor() : THPVariable_Unpack(object); }

PyObject *tuple_of(const std::vector<Tensor> &tensors) {
    PyObject *tuple = PyTuple_New((Py_ssize_t)tensors.size());
    for (size_t i = 0; tuple && i < tensors.size(); i++) PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, wrapped(tensors[i]));
    return tuple;
}

// The tensors of a sequence; false with an exception set if it is none.
bool read(PyObject *given, std::vector<Tensor> &tensors) {
    if (given == Py_None) return true;
    Owned sequence(PySequence_Fast(given, "a sequence of tensors"));
    if (!sequence.object) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.object); i++)
        tensors.push_back(tensor_of(PySequence_Fast_GET_ITEM(sequence.object, i)));
    return true;
}

// The gradients by the tensors of a call, computed in its forward pass, times the incoming gradient.
struct GradientNode : public torch::autograd::Node {
    std::vector<SavedVariable> saved;
    std::vector<Tensor> gradients; // one per next edge, undefined where none is needed; empty once given to autograd
    double scale = 1;
    bool scales = true; // false in half precision, which would be rounded twice
    const char *called = "";
    PyObject *again = nullptr; // (call, tensors, gradients, scale, grad, needed) -> gradients, in Python
    PyObject *call = nullptr;

    ~GradientNode() override { release_objects(); }

    std::string name() const override { return called; }

    void release_objects() {
        if (!call || !Py_IsInitialized()) return;
        Lock lock;
        Py_CLEAR(call);
        Py_CLEAR(again);
    }

    void release_variables() override {
        std::lock_guard<std::mutex> guard(mutex_);
        for (auto &each : saved) each.reset_data();
        gradients.clear();
    }

    torch::autograd::variable_list apply(torch::autograd::variable_list &&grads) override {
        const Tensor &grad = grads[0];
        if (!grad.defined()) return torch::autograd::variable_list(num_outputs());
        std::unique_lock<std::mutex> guard(mutex_);
        std::vector<Tensor> tensors; // unpacked first: reports a changed tensor and a second pass over a freed graph
        tensors.reserve(saved.size());
        for (auto &each : saved) tensors.push_back(each.unpack());
        std::vector<Tensor> own = std::move(gradients); // autograd may write to what it receives
        gradients.clear();
        guard.unlock();
        if (!own.empty() && !at::GradMode::is_enabled() && is_plain(grad)) {
            const bool is_float = grad.scalar_type() == at::kFloat;
            const double upstream = is_float ? *grad.const_data_ptr<float>() : *grad.const_data_ptr<double>();
            const double factor = upstream * scale, size = std::fabs(scale);
            const bool exact = std::isfinite(upstream) && (size == 0 || (size > 1 / MOST_SCALE && size < MOST_SCALE));
            if (exact && (scales || factor == 1)) {
                for (auto &each : own)
                    if (each.defined() && factor != 1) each.mul_(factor);
                return own;
            }
        }
        return by_python(tensors, own, grad);
    }

    static bool is_plain(const Tensor &grad) {
        using Key = c10::DispatchKey;
        const auto keys = grad.key_set();
        for (Key each : {Key::FuncTorchBatched, Key::Batched, Key::FuncTorchGradWrapper, Key::Python, Key::Negative})
            if (keys.has(each)) return false;
        const auto type = grad.scalar_type();
        return grad.is_cpu() && grad.numel() == 1 && (type == at::kFloat || type == at::kDouble) && grad.storage().data();
    }

    // Second derivatives, another backward pass, transforms and unusual factors.
    torch::autograd::variable_list by_python(const std::vector<Tensor> &tensors, const std::vector<Tensor> &own,
                                             const Tensor &grad) {
        Lock lock;
        Owned saved_tensors(tuple_of(tensors)), made(own.empty() ? Py_NewRef(Py_None) : tuple_of(own));
        Owned upstream(wrapped(grad)), factor(PyFloat_FromDouble(scale)), needed(PyTuple_New(num_outputs()));
        if (!saved_tensors.object || !made.object || !needed.object) throw_error();
        for (uint32_t i = 0; i < num_outputs(); i++)
            PyTuple_SET_ITEM(needed.object, i, PyBool_FromLong(task_should_compute_output(i)));
        Owned found(PyObject_CallFunctionObjArgs(again, call, saved_tensors.object, made.object, factor.object,
                                                 upstream.object, needed.object, nullptr));
        if (!found.object) throw_error();
        Owned sequence(PySequence_Fast(found.object, "gradients"));
        if (!sequence.object) throw_error();
        torch::autograd::variable_list result;
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.object); i++)
            result.push_back(tensor_of(PySequence_Fast_GET_ITEM(sequence.object, i)));
        return result;
    }
};

// Makes the value the output of a node, with edges to the tensors that require gradients.
void connect(const Tensor &value, const std::vector<Tensor> &inputs, const std::vector<Tensor> &saved,
             std::vector<Tensor> gradients, double scale, bool scales, const char *called, PyObject *again, PyObject *call) {
    GradientNode *node = nullptr;
    Pointer pointer = new_node(&node);
    node->set_next_edges(torch::autograd::collect_next_edges(inputs));
    node->saved.reserve(saved.size());
    for (const Tensor &each : saved) node->saved.emplace_back(each, false);
    node->gradients = std::move(gradients);
    node->scale = scale, node->scales = scales, node->called = called;
    node->again = Py_NewRef(again), node->call = Py_NewRef(call);
    torch::autograd::set_history(value, pointer);
}

// What a plan fixes. Modes other than 0 compute the gradient.
struct Plan {
    Entry entry;
    Details details;
    const void *loss;
    int64_t mode;
    bool releases_lock, is_double, scales;
};

constexpr char PLAN_NAME[] = "losskit.Plan";

void free_plan(PyObject *capsule) { delete static_cast<Plan *>(PyCapsule_GetPointer(capsule, PLAN_NAME)); }

PyObject *make_plan(PyObject *, PyObject *args) {
    unsigned long long entry, details, loss;
    long long mode;
    int releases_lock, is_double, scales;
    if (!PyArg_ParseTuple(args, "KKKLppp", &entry, &details, &loss, &mode, &releases_lock, &is_double, &scales)) return nullptr;
    auto *plan = new Plan{reinterpret_cast<Entry>(entry), reinterpret_cast<Details>(details),
                          reinterpret_cast<const void *>(loss), mode, releases_lock != 0, is_double != 0, scales != 0};
    PyObject *capsule = PyCapsule_New(plan, PLAN_NAME, free_plan);
    if (!capsule) delete plan;
    return capsule;
}

void *address(const Tensor &tensor) { return tensor.defined() ? const_cast<void *>(tensor.const_data_ptr()) : nullptr; }

enum { PLAN, CALL, INPUT, TARGET, WEIGHT, MASK, BIAS, OPTIONS, WEIGHTS, NORMALIZER, VALUES, REPORT, AGAIN, ARGUMENTS };

// The value of a loss, with its node if the plan computes the gradient. `report(flags, call)` raises errors.
PyObject *run(PyObject *, PyObject *const *args, Py_ssize_t count) {
    HANDLE_TH_ERRORS
    if (count != ARGUMENTS) return PyErr_Format(PyExc_TypeError, "run takes %d arguments; got %zd", (int)ARGUMENTS, count);
    const auto *plan = static_cast<const Plan *>(PyCapsule_GetPointer(args[PLAN], PLAN_NAME));
    if (!plan) return nullptr;
    std::vector<Tensor> tensors; // input, target, weight, mask, options
    tensors.reserve(4);
    for (int i = INPUT; i <= MASK; i++) tensors.push_back(tensor_of(args[i]));
    const Tensor bias = tensor_of(args[BIAS]), values = tensor_of(args[VALUES]);
    if (!read(args[OPTIONS], tensors)) return nullptr;
    std::vector<void *> options;
    for (size_t i = 4; i < tensors.size(); i++) options.push_back(address(tensors[i]));
    std::vector<double> weights;
    if (args[WEIGHTS] != Py_None)
        for (Py_ssize_t i = 0; i < PyList_Size(args[WEIGHTS]); i++)
            weights.push_back(PyFloat_AsDouble(PyList_GET_ITEM(args[WEIGHTS], i)));
    const double normalizer = PyFloat_AsDouble(args[NORMALIZER]);
    if (PyErr_Occurred()) return nullptr;

    Tensor value, gradient;
    {
        at::AutoDispatchBelowADInplaceOrView below;
        value = at::empty({}, at::TensorOptions().dtype(plan->is_double ? at::kDouble : at::kFloat));
        if (plan->mode) gradient = at::empty_like(tensors[0]);
    }
    int64_t flags = 0;
    const auto invoke = [&] {
        flags = plan->entry(plan->loss, address(tensors[0]), address(tensors[1]), address(tensors[2]), address(tensors[3]),
                            static_cast<const float *>(address(bias)), address(gradient), nullptr,
                            options.empty() ? nullptr : options.data(), weights.empty() ? nullptr : weights.data(),
                            normalizer, address(value), address(values), plan->mode, at::get_num_threads());
    };
    double details[3] = {0, 0, 1}; // see losskit_details in csrc/loss.c
    if (plan->releases_lock) {
        Py_BEGIN_ALLOW_THREADS invoke();
        Py_END_ALLOW_THREADS
    } else {
        invoke();
    }
    if (flags == TO_BE_SCALED) {
        plan->details(details);
    } else if (flags) {
        Owned number(PyLong_FromLongLong(flags));
        Owned done(PyObject_CallFunctionObjArgs(args[REPORT], number.object, args[CALL], nullptr));
        if (!done.object) return nullptr;
    }
    if (plan->mode)
        connect(value, {tensors[0]}, tensors, {std::move(gradient)}, details[2], plan->scales, "FusedLossBackward",
                args[AGAIN], args[CALL]);
    return THPVariable_Wrap(value);
    END_HANDLE_TH_ERRORS
}

// A computed value as the output of a node with these gradients by the tensors, or None for those without.
PyObject *attach(PyObject *, PyObject *args) {
    HANDLE_TH_ERRORS
    PyObject *value, *inputs, *gradients, *call, *again;
    if (!PyArg_ParseTuple(args, "OOOOO", &value, &inputs, &gradients, &call, &again)) return nullptr;
    std::vector<Tensor> tensors, made;
    if (!read(inputs, tensors) || !read(gradients, made)) return nullptr;
    connect(THPVariable_Unpack(value), tensors, tensors, std::move(made), 1, true, "ClosedFormFunctionBackward", again, call);
    return Py_NewRef(value);
    END_HANDLE_TH_ERRORS
}

PyMethodDef methods[] = {
    {"plan", make_plan, METH_VARARGS, nullptr},
    {"run", reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(run)), METH_FASTCALL, nullptr},
    {"attach", attach, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_node", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit__node() { return PyModule_Create(&module); }
