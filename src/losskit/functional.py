"""The function form of every loss: the same computation as the class, options as keyword arguments."""

from losskit.core.forms import function_form
from losskit.losses import region, regression

mse_loss = function_form(regression.MSELoss)

dice_loss = function_form(region.DiceLoss)
jaccard_loss = function_form(region.JaccardLoss)
iou_loss = jaccard_loss
tversky_loss = function_form(region.TverskyLoss)
focal_tversky_loss = function_form(region.FocalTverskyLoss)
