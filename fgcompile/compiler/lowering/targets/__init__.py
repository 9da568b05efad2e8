"""Lowerings for one runtime or device, where another form is faster there, or the only one."""
