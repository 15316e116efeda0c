"""Operators that a graph of a bundle may hold: those that exports write, and their like. Each ends after work that its inputs bound.

None runs a graph within the graph (If, Loop, Scan, SequenceMap), draws at random, or is a function that the file defines; so a graph
of these cannot run for ever. A layer of your own that needs another operator adds it here.
"""

ONNX = (
    # numbers
    "Abs Add Ceil Celu Clip Cos CumSum Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log LogSoftmax Max Mean Min Mish Mod "
    "Mul Neg PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu "
    # truth and comparison
    "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor "
    # products and sums along an axis
    "ArgMax ArgMin Einsum Gemm MatMul ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare TopK "
    # norms
    "BatchNormalization GroupNormalization InstanceNormalization LayerNormalization LpNormalization RMSNormalization "
    # shapes and places
    "Cast CastLike Concat Constant ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND Identity NonZero OneHot Pad "
    "Range Reshape ScatterElements ScatterND Shape Size Slice Split Squeeze Tile Transpose Trilu Unsqueeze "
    # integers of 8 bits
    "DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearMatMul QuantizeLinear"
)
OPERATORS = {
    "": frozenset(ONNX.split()),
    "ai.onnx.ml": frozenset({"LabelEncoder"}),
    "com.microsoft": frozenset({"DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MurmurHash3"}),
}
"""{domain: names}; "" is ai.onnx."""
