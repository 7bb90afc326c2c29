def huber(e, d):
    a = (abs(e) <= d).to(e.dtype)
    b = (e > d).to(e.dtype)
    return a * e ** 2 / 2 + b * d * (abs(e) - d / 2)


def value_loss(values, returns, huber_delta=1.0):
    """Huber loss of the critic. values, returns: (T,)"""
    error = returns - values
    return huber(error, huber_delta).mean()
