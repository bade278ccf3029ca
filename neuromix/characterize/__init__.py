"""A mixed-signal cell measured in ngspice, and the numpy model beside it: fitted parameters, residuals."""
